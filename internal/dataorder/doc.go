// Package dataorder knows which flags and segments refer to which others, and puts data into an order in which a store
// that is not atomic can write it: nothing before what it refers to.
package dataorder
