package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

const (
	libraryModule  = "github.com/modelarts-go/modelarts"
	libraryVersion = "v0.0.0-benchmark"
	officialModule = "github.com/huaweicloud/huaweicloud-sdk-go-v3"
	userMode       = 0o600
	userDirMode    = 0o750
)

// measureBuild takes the first build of a program that imports a library, with an empty module cache and with
// the standard library compiled. It is done once, since it asks the module proxy for some 50 MB.
func measureBuild(ctx context.Context, b *bench) ([]row, error) {
	if b.quick {
		return nil, nil
	}
	proxy, err := b.ownProxy(ctx)
	if err != nil {
		return nil, err
	}
	times, sizes := make(values), make(values)
	for name, source := range map[string]userProgram{
		theirs:  {officialModule, officialVersion(), []string{"/core", "/core/auth/basic", "/core/config", "/core/def"}},
		library: {libraryModule, libraryVersion, []string{""}},
	} {
		took, downloaded, err := b.firstBuild(ctx, source, proxy)
		if err != nil {
			// Most likely without a network; the other rows do not need one.
			fmt.Fprintf(b.stderr, "no rows of the first build: %v\n", err)
			return nil, nil
		}
		times[name], sizes[name] = float64(took.Nanoseconds()), float64(downloaded)
	}
	return []row{
		{name: "first build with an empty module cache (once)", unit: duration, values: times},
		{name: "its download", unit: bytes, values: sizes, targets: []target{atMost(2e6, bytes)}, charted: true},
	}, nil
}

// officialVersion is the version that this program was built with.
func officialVersion() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == officialModule {
			return module.Version
		}
	}
	return "latest"
}

// A userProgram imports some packages of a module.
type userProgram struct {
	module, version string
	packages        []string
}

func (p userProgram) write(dir string) error {
	var source strings.Builder
	source.WriteString("package main\n\n")
	for _, name := range p.packages {
		fmt.Fprintf(&source, "import _ %q\n", p.module+name)
	}
	source.WriteString("\nfunc main() {}\n")
	module := fmt.Sprintf("module user\n\ngo 1.25.0\n\nrequire %s %s\n", p.module, p.version)
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "main.go"), []byte(source.String()), userMode),
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte(module), userMode))
}

// firstBuild returns how long the build took, and how much was downloaded for it.
func (b *bench) firstBuild(ctx context.Context, program userProgram, proxy string) (time.Duration, int64, error) {
	dir, err := os.MkdirTemp(b.dir, "user-")
	if err != nil {
		return 0, 0, err
	}
	if err := program.write(dir); err != nil {
		return 0, 0, err
	}
	cache := filepath.Join(dir, "cache")
	cmd := exec.CommandContext(ctx, "go", "build", "-mod=mod", "-modcacherw", "-o", "user.exe", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOMODCACHE="+cache, "GOPROXY="+proxy, "GONOSUMDB="+libraryModule, "GOFLAGS=", "GOWORK=off")
	start := time.Now()
	output, err := cmd.CombinedOutput()
	took := time.Since(start)
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %s", err, output)
	}
	downloaded, err := folderSize(filepath.Join(cache, "cache", "download"))
	return took, downloaded, errors.Join(err, os.RemoveAll(cache))
}

func folderSize(dir string) (int64, error) {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}

// ownProxy makes a module proxy of a folder, with this library as it stands here, so that it is downloaded as a
// released version would be. Everything else comes from the usual proxy.
func (b *bench) ownProxy(ctx context.Context) (string, error) {
	list, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", libraryModule).Output()
	if err != nil {
		return "", err
	}
	root := strings.TrimSpace(string(list))
	usual, err := exec.CommandContext(ctx, "go", "env", "GOPROXY").Output()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.dir, "proxy")
	versions := filepath.Join(dir, filepath.FromSlash(libraryModule), "@v")
	if err := os.MkdirAll(versions, userDirMode); err != nil {
		return "", err
	}
	file := filepath.Join(versions, libraryVersion)
	err = errors.Join(
		os.WriteFile(file+".info", []byte(`{"Version":"`+libraryVersion+`"}`), userMode),
		copyFile(filepath.Join(root, "go.mod"), file+".mod"),
		zipModule(root, file+".zip"))
	return "file://" + filepath.ToSlash(dir) + "," + strings.TrimSpace(string(usual)), err
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, userMode)
}

// zipModule packs a module as a proxy does: without the modules below it.
func zipModule(root, file string) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	packed := zip.NewWriter(out)
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			_, nested := os.Stat(filepath.Join(path, "go.mod"))
			if entry.Name() == ".git" || path != root && nested == nil {
				return fs.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		return zipFile(packed, path, libraryModule+"@"+libraryVersion+"/"+filepath.ToSlash(name))
	})
	return errors.Join(err, packed.Close(), out.Close())
}

func zipFile(packed *zip.Writer, path, name string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := packed.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}
