"""Linear maps whose kernels depend on the place: what merged layers are, and the pieces that compute them."""
