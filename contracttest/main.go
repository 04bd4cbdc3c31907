package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	address := flag.String("address", "127.0.0.1:8100", "host and port to listen on")
	verbose := flag.Bool("verbose", false, "log everything that clients log")
	flag.Parse()
	level := slog.LevelError
	if *verbose {
		level = slog.LevelDebug
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *address, logger); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // nothing is left to be stopped
	}
}

// run serves until ctx ends or the suite asks it to stop.
func run(ctx context.Context, address string, logger *slog.Logger) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("contracttest: %w", err)
	}
	service := newService(stop, logger)
	server := &http.Server{Handler: service.handler(), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() {
		limited, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(limited); err != nil {
			logger.Error("contracttest: stopping", "error", err)
		}
	})
	fmt.Fprintln(os.Stderr, "listening on", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("contracttest: %w", err)
	}
	return service.closeAll()
}
