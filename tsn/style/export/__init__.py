"""Styles as files for other programs: TorchScript and ONNX."""
