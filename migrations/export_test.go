package migrations

// SetRandom replaces what draws orders and decides which results are compared.
func (c *Config[P, R]) SetRandom(random func(n int) int) { c.random = random }
