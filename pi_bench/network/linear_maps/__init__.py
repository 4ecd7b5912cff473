"""Linear maps whose kernels depend on the position, and the layers that compute them."""
