"""Names replacements of operators that cannot be lowered."""

from __future__ import annotations

_ACTIVATIONS = "gelu silu mish sigmoid tanh elu celu selu softplus swish softsign softshrink erf"
_USE_RELU = "use torch.nn.ReLU and train again, or a polynomial of degree 2 or 3"
_COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne", "where", "masked_fill", "isnan")
_WHOLE_NAMES = {
    **dict.fromkeys(
        _COMPARISONS,
        "a decision about an activation has no private counterpart but ReLU; ReLU masks are constants",
    ),
    "mul": "products of two activations are not supported (gates, squeeze-and-excitation); multiply by "
    "constants or parameters alone",
}
_ADVICE = (
    ("softmax", "leave it out: the client applies softmax to the logits itself"),
    ("argmax", "leave it out: the client takes the largest logit itself"),
    ("topk", "leave it out: the client sorts the logits itself"),
    ("sort", "leave it out: the client sorts the logits itself"),
    *((name, _USE_RELU) for name in _ACTIVATIONS.split()),
    (
        "group_norm",
        "it takes the statistics of each input, which no private network computes; use torch.nn.BatchNorm2d, "
        "whose statistics are fixed in inference",
    ),
    ("batch_norm_legit", "use torch.nn.BatchNorm2d in evaluation, whose statistics are fixed"),
    ("norm", "use torch.nn.BatchNorm2d, whose statistics are fixed in inference"),
    ("conv_transpose", "use torch.nn.ConvTranspose2d, or torch.nn.Conv2d"),
    ("conv", "use torch.nn.Conv2d"),
    ("transpose", "use a network whose axes stay (batch, channels, height, width)"),
    ("permute", "use a network whose axes stay (batch, channels, height, width)"),
    ("pool", "use torch.nn.MaxPool2d, AvgPool2d or AdaptiveAvgPool2d"),
    ("attention", "products of two activations are not supported; use a convolutional network"),
    ("matmul", "products of two activations are not supported; use torch.nn.Linear with fixed weights"),
    ("bmm", "products of two activations are not supported; use torch.nn.Linear with fixed weights"),
    ("einsum", "use torch.nn.Linear or torch.nn.Conv2d, whose weights are parameters"),
    ("embedding", "indices are not supported: the input is float; use a convolution or torch.nn.Linear"),
    ("fft", "complex numbers are not supported; use a convolution"),
    ("complex", "complex numbers are not supported; keep activations float32"),
    ("index", "positions that depend on values are not supported; use fixed slices or pooling"),
    ("nonzero", "positions that depend on values are not supported; use fixed slices or pooling"),
    ("upsample", "use torch.nn.Upsample in mode nearest, bilinear or bicubic, without antialias"),
    ("rand", "a network in inference has no random numbers"),
    ("bernoulli", "a network in inference has no random numbers"),
    ("sym_size", "export with fixed shapes, without dynamic_shapes"),
)
GENERAL_ADVICE = (
    "use convolution, batch normalization, linear layers, ReLU, ReLU6, clamp, leaky and parametric ReLU, "
    "polynomials of degree 2 and 3, sums, concatenation, average and maximum pooling, resizing, reshapes and "
    "slices only"
)


def advice(operator: str) -> str:
    """Names a replacement of an operator.

    The operator is named as in a trace: ``gelu.default``, ``max_pool2d.default``, ``add_``.

    >>> advice("gelu.default")
    'use torch.nn.ReLU and train again, or a polynomial of degree 2 or 3'
    """
    stem = operator.split(".")[0].strip("_")
    if stem in _WHOLE_NAMES:
        return _WHOLE_NAMES[stem]
    return next((words for part, words in _ADVICE if part in stem), GENERAL_ADVICE)
