from hypothesis import settings

settings.register_profile("mixers", deadline=None, derandomize=True)
settings.load_profile("mixers")
