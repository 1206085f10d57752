"""LA-Net (ICCV 2023): the method, and one file for each part of the paper."""

from methods.lanet.method import LANet

__all__ = ["LANet"]
