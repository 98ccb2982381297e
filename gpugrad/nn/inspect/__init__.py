"""What a model is made of and how healthy it is: the table of its layers, and a diagnosis of one step."""
