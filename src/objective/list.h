/* The methods, in the order of lists: METHOD(NAME) stands for the table hiss_NAME. */
METHOD(nat)
METHOD(supervised)
METHOD(autoencoder)
