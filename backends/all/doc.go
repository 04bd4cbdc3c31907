// Package all has every adapter of this module, for programs that are told by a URL which database they use, and may be told any:
//
//	cfg, err := config.Load(ctx, "cleat.yaml", &config.Options{Registry: all.Registry()})
//
// A program that imports it links the drivers of all databases, which makes it larger by about 12 MB. One that uses a single database
// registers that adapter alone, as in backends.New(redisstore.Schemes()).
package all
