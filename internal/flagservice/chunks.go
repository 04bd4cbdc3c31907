package flagservice

import "io"

// chunks is text that grows at its end. Unlike a slice that grows, it is not copied meanwhile, so that holding a text costs its size.
type chunks struct {
	all  [][]byte
	size int
}

const (
	firstChunk = 4 << 10
	maxChunk   = 1 << 20
)

// append adds a copy of the text.
func (c *chunks) append(text []byte) {
	c.size += len(text)
	for len(text) > 0 {
		last := len(c.all) - 1
		if last < 0 || len(c.all[last]) == cap(c.all[last]) {
			size := firstChunk
			if last >= 0 {
				size = min(2*cap(c.all[last]), maxChunk)
			}
			c.all = append(c.all, make([]byte, 0, size))
			last++
		}
		chunk := c.all[last]
		n := copy(chunk[len(chunk):cap(chunk)], text)
		c.all[last] = chunk[:len(chunk)+n]
		text = text[n:]
	}
}

// take returns the text in one piece, and leaves nothing but room for a small one.
func (c *chunks) take() []byte {
	text := make([]byte, 0, c.size)
	for _, chunk := range c.all {
		text = append(text, chunk...)
	}
	if len(c.all) > 0 {
		clear(c.all[1:])
		c.all = append(c.all[:0], c.all[0][:0])
	}
	c.size = 0
	return text
}

// readAll reads everything. A text that is refused in the end has cost its size and no more, whatever it consists of.
func readAll(r io.Reader) ([]byte, error) {
	text, buffer := chunks{}, make([]byte, 32<<10)
	for {
		n, err := r.Read(buffer)
		text.append(buffer[:n])
		switch {
		case err == io.EOF:
			return text.take(), nil
		case err != nil:
			return nil, err
		}
	}
}
