package main

import (
	"context"
	"fmt"
	"sync"
)

// address is what the systems are given: a customer, and where they live if that is to be written.
type address struct{ customer, town string }

// system stands for one that keeps addresses. A migrator may call both systems at once, and each from any goroutine.
type system struct {
	mu    sync.Mutex
	towns map[string]string
}

func newSystem(customer, town string) *system {
	return &system{towns: map[string]string{customer: town}}
}

func (s *system) read(_ context.Context, a address) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	town, found := s.towns[a.customer]
	if !found {
		return "", fmt.Errorf("customer %s is unknown", a.customer)
	}
	return town, nil
}

func (s *system) write(_ context.Context, a address) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.towns[a.customer] = a.town
	return a.town, nil
}
