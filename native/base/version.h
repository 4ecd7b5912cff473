#pragma once
namespace pi {
const char* version();
}
