"""Keys painted by optimisation: a plate frame in the manner of any painting, slowly and at the best quality we have.

plate, paintings --base: scales from coarse to fine--> a method (`nearest`, `gatys`) --upscale--> the key
"""
