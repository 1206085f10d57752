"""Settings of all tests: hypothesis draws the same examples each time, so that one commit has one verdict."""

from hypothesis import settings

settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")
