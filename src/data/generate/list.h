/* The generators, in the order of lists: GENERATOR(NAME) stands for the table generate_NAME, whose name is NAME. */
GENERATOR(synthetic)
GENERATOR(moving)
GENERATOR(push)
GENERATOR(palette)
GENERATOR(sounds)
GENERATOR(clutter)
