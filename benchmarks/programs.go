package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// programs are the folders with the small program of each contender.
var programs = map[string]string{byHand: "byhand", theirs: "official", library: "modelarts"}

// buildProgram builds a contender's program, and returns its file.
func (b *bench) buildProgram(ctx context.Context, name string, flags ...string) (string, error) {
	file := filepath.Join(b.dir, programs[name]+".exe")
	args := append([]string{"build", "-o", file}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, packagePath+"/programs/"+programs[name])...) //nolint:gosec // see programs
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, output)
	}
	return file, nil
}

const packagePath = "github.com/modelarts-go/modelarts/benchmarks"

// measureStart takes whole processes that make one call, from their start to their end.
func measureStart(ctx context.Context, b *bench) ([]row, error) {
	var contenders []contender
	for _, name := range callers {
		file, err := b.buildProgram(ctx, name)
		if err != nil {
			return nil, err
		}
		contenders = append(contenders, contender{name, func(ctx context.Context) (sample, error) {
			return runOnce(ctx, file, b.server.Plain)
		}})
	}
	medians, err := contest(ctx, b.pick(40, 1), contenders)
	if err != nil {
		return nil, err
	}
	return []row{{name: "a process that makes its first call", unit: duration, values: medians[nanoseconds]}}, nil
}

func runOnce(ctx context.Context, file, endpoint string) (sample, error) {
	start := time.Now()
	output, err := exec.CommandContext(ctx, file, endpoint).CombinedOutput() //nolint:gosec // it was built above
	took := time.Since(start)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, output)
	}
	return sample{nanoseconds: float64(took.Nanoseconds())}, nil
}

// measureSize takes what the binaries of these programs have more than the one that uses net/http by hand.
func measureSize(ctx context.Context, b *bench) ([]row, error) {
	var rows []row
	for _, build := range []struct {
		name    string
		flags   []string
		charted bool
	}{
		{"added to a binary, stripped (-s -w)", []string{"-ldflags=-s -w"}, true},
		{"added to a binary, as built", nil, false},
	} {
		if b.quick && !build.charted {
			continue
		}
		added, err := b.addedSizes(ctx, build.flags)
		if err != nil {
			return nil, err
		}
		r := row{name: build.name, unit: bytes, values: added, charted: build.charted}
		if build.charted {
			r.targets = []target{atMost(350e3, bytes)}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (b *bench) addedSizes(ctx context.Context, flags []string) (values, error) {
	sizes := make(values)
	for _, name := range callers {
		file, err := b.buildProgram(ctx, name, flags...)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		sizes[name] = float64(info.Size())
	}
	return values{theirs: sizes[theirs] - sizes[byHand], library: sizes[library] - sizes[byHand]}, nil
}
