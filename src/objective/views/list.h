/* Ways to make floats of a field: VIEW(NAME) stands for the table objective_view_NAME, whose name is NAME. */
VIEW(image)
VIEW(lab)
VIEW(mu_law)
VIEW(numbers)
VIEW(values)
