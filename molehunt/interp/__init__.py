"""White-box science on tensors: activations on disk, sparse autoencoders, features, probes, steering."""
