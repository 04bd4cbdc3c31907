package measure

// How far down the stack something runs decides which of its variables share places in the processor's caches with others,
// which can change the time that a short operation takes by a fifth. Whatever calls it then looks faster or slower than it
// is. So a sample is taken in parts, each at another depth.
const (
	depths = 16
	// frame makes depths frames spread over a page, after which the effect repeats.
	frame = 4096/depths - 64
)

// spread performs n operations in parts at different depths of the stack.
func spread(run func(n int) error, n int) error {
	if n < depths {
		return run(n)
	}
	for depth := range depths {
		part := n / depths
		if depth < n%depths {
			part++
		}
		if err := deeper(depth, run, part); err != nil {
			return err
		}
	}
	return nil
}

// deeper calls run below so many frames.
//
//go:noinline
func deeper(depth int, run func(n int) error, n int) error {
	var space [frame]byte
	space[depth] = 1
	if depth == 0 {
		return run(n)
	}
	err := deeper(depth-1, run, n)
	space[depth-1] = space[depth] // which keeps the space in use until here
	return err
}
