// Package filedata is a data source that reads flags from files, in LaunchDarkly's format for flag data files.
//
// # Format
//
// A file is a JSON or YAML object with one to three properties, each an object by key:
//
//   - "flags": whole flags, in the JSON that the flag service sends. Properties that cleat does not know are kept.
//   - "flagValues": nothing but a value; the flag is on and has this value for everyone.
//   - "segments": whole segments.
//
// Other properties are ignored, and logged each time that the data is loaded; a file with none of the three is refused. One
// without flags holds {"flags": {}}. In a flag or segment, "key" may be left out and must otherwise equal the key
// that it stands under; "version" is 1 if it is left out. Every other property that is missing or null is added with the
// value that its absence means, also in rules and clauses: SDKs in other languages that read the same database fail without.
//
// A file whose name ends in .json is JSON, one that ends in .yaml or .yml is YAML, and any other is JSON if its first
// character is an opening brace. Numbers pass from YAML to JSON digit by digit. A YAML file holds one document.
//
// # Several files
//
// All files together make up the data. A flag or segment that is there twice, be it in two files, in one, or in both
// "flags" and "flagValues", is treated as [Options].DuplicateKeys says.
//
// # Reloading
//
// With [Options].Reload the files are watched, together with the directories and symbolic links that lead to them:
// writing in place, renaming over, swapping a link as Kubernetes does for config maps, deleting and creating again are
// all noticed within moments. Where the file system sends no notifications, they are noticed at the next poll.
//
// The data is replaced only if all files can be read and understood. Otherwise the last good data stays in place, and
// the data source is interrupted, with a message that says which file is wrong, in which line, and why, until the file
// is mended. A JSON file that is half written is never taken for a whole one; a YAML file may be, so write it under
// another name and rename it.
//
// Without Reload, a file that cannot be loaded turns the data source off.
package filedata
