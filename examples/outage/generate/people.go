package main

import "fmt"

// namedUsers are keys that turn up in many targeting lists. The contexts of the example are among them.
func namedUsers() []string {
	return []string{
		"ana", "ben", "chloe", "dario", "elif", "farid", "greta", "hugo", "ines", "jonas", "kavya", "liam", "mei", "noor",
		"olga", "pablo", "quynh", "rosa", "sami", "tove", "umar", "vera", "wanda", "xavi", "yara", "zoe",
	}
}

func namedOrgs() []string {
	return []string{"acme", "globex", "initech", "umbra", "hooli", "stark-mills", "wayne-freight", "tyrell-optics", "soylent-foods"}
}

func namedDevices() []string {
	return []string{"kiosk-3", "kiosk-7", "kiosk-12", "scanner-04", "scanner-19", "tablet-dock-2", "phone-chloe"}
}

// userKeys returns n made-up user keys, all different.
func userKeys(r *random, n int) []string {
	return numbered(r, "user", n)
}

// numbered returns n keys that begin with a prefix, in ascending order of a number with gaps.
func numbered(r *random, prefix string, n int) []string {
	keys := make([]string, 0, n)
	number := 100000 + r.below(5000)
	for range n {
		number += r.between(1, 90)
		keys = append(keys, fmt.Sprintf("%s-%07d", prefix, number))
	}
	return keys
}
