"""Pipelines of the diffusers library, whatever their denoiser takes: what the dense pipeline calls it with
and what it returns is recorded, and a sparse one learns to return the same.

folder -> call -> record -> recording -> (training/pipeline.py) -> measure, artifact/pipeline.py
"""
