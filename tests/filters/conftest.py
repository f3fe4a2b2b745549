from hypothesis import settings

# The first call of a kernel compiles it, so no deadline can be set.
settings.register_profile("kernels", deadline=None)
settings.load_profile("kernels")
