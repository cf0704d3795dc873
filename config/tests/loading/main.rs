//! Loads whole files, good and bad, and compares what the user is told.

mod effective;
mod good_files;
mod mutations;
mod options;
mod skeleton;
mod table;
