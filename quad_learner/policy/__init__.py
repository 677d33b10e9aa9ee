"""What does it do next? The ONNX policy, exploration and the machine that runs episodes."""
