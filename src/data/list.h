/* Formats of files that hold one array, for hiss prepare: FORMAT(NAME) stands for the function data_NAME_read. */
FORMAT(idx)
