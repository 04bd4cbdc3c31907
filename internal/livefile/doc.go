// Package livefile makes values of files that others replace while the program runs: certificates that live for hours, passwords
// that are rotated, the files of a mounted Kubernetes secret, which are symbolic links that are swapped.
//
// A file has changed if its path leads to another file, or to the same one with another size or time of modification. That costs
// a system call each time that the value is asked for, and reading only if something has changed. A file that cannot be read,
// or not be used, for a moment leaves the value that it was; the first failure in a row is logged, without the path, in place of
// which there may be a secret.
package livefile
