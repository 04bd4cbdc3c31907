package containers

import "time"

// eventually tries until it succeeds, or returns the last error when patience is over.
func eventually(patience time.Duration, try func() error) error {
	for deadline := time.Now().Add(patience); ; <-time.After(50 * time.Millisecond) {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
