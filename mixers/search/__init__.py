"""Which mixture is best: probes, laws of loss over weights, the optimum and its confirmation."""
