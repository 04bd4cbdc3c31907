// Package itemjson reads what cleat has to know of an item's JSON without decoding the item: its version, its deleted mark, its
// key, whether two texts say the same, and whether the decoder will accept it. [Scanner] takes texts with items in them apart.
//
// gjson reads ordinary JSON, in one pass and without allocating. Whatever is not ordinary is read by the reader that flags and
// segments are decoded with, go-jsonstream, which is several times slower and accepts a little more than JSON (control characters
// in strings, numbers such as 01): what it accepts could be evaluated, and is not refused here.
package itemjson
