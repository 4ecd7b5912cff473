"""The smallest recipe that searches are tested with: two blocks on digits, with 512 ReLUs."""

RECIPE = """
schema = 1
name = "small-digits"
family = "resnet"
dataset = "digits"
input_shape = [1, 8, 8]
class_count = 10
blocks = [1, 1]
widths = [2, 4]
"""
