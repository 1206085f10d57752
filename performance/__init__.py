import os

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler, which counts memory here, is to keep silent
