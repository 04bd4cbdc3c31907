package flagservice

import "io"

// chunks is text that grows at one end and is read at the other. Unlike a slice that grows, it is never copied, so that holding a
// text costs its size, and what has been read is free at once.
type chunks struct {
	all  [][]byte // none of them is empty
	size int64
}

const (
	firstChunk = 4 << 10
	maxChunk   = 1 << 20
)

// append adds a copy of the text.
func (c *chunks) append(text []byte) {
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
		c.size += int64(n)
		text = text[n:]
	}
}

// truncate drops what was added since the size was that.
func (c *chunks) truncate(size int64) {
	for c.size > size {
		last := len(c.all) - 1
		drop := min(c.size-size, int64(len(c.all[last])))
		c.all[last] = c.all[last][:int64(len(c.all[last]))-drop]
		c.size -= drop
		if len(c.all[last]) == 0 {
			c.all = c.all[:last]
		}
	}
}

// Read implements [io.Reader].
func (c *chunks) Read(p []byte) (int, error) {
	if len(c.all) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.all[0])
	c.size -= int64(n)
	if c.all[0] = c.all[0][n:]; len(c.all[0]) == 0 {
		c.all[0] = nil
		c.all = c.all[1:]
	}
	return n, nil
}

// readAll reads everything. A text that is refused in the end has cost its size and no more, whatever it consists of.
func readAll(r io.Reader) (*chunks, error) {
	text, buffer := &chunks{}, make([]byte, 32<<10)
	for {
		n, err := r.Read(buffer)
		text.append(buffer[:n])
		switch {
		case err == io.EOF:
			return text, nil
		case err != nil:
			return nil, err
		}
	}
}
