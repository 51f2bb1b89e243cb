/* The methods, in the order of lists: METHOD(NAME) stands for the table objective_NAME, whose name is NAME. */
METHOD(nat)
METHOD(supervised)
METHOD(autoencoder)
METHOD(denoising)
METHOD(vae)
METHOD(rbm)
METHOD(dbm)
METHOD(sparse)
