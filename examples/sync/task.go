package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/modelarts-go/modelarts"
)

// A note is what the resume file holds: a task, and how its dataset was asked for.
type note struct {
	modelarts.SyncTask
	Asked string `json:"asked,omitempty"` // a name or an id
}

// loadNote reads what an earlier run has left, if it has.
func loadNote(path string) (left note, found bool, err error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return left, false, nil
	}
	if err != nil {
		return left, false, &misuse{err}
	}
	if err := json.Unmarshal(content, &left); err != nil || left.DatasetID == "" {
		return left, false, &misuse{fmt.Errorf("%s does not hold a task of this program", path)}
	}
	return left, true, nil
}

// trySave reports why a note could not be saved at path, before there is one.
func trySave(path string) error {
	file, err := createBeside(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// createBeside creates the file that is to become the one at path.
func createBeside(path string) (*os.File, error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err // without a name that nobody knows
	}
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, err)
	}
	return file, nil
}

// saveNote writes so that a program that is killed meanwhile leaves the whole of it or nothing.
func saveNote(path string, n note) error {
	content, err := json.Marshal(n)
	if err != nil {
		return err
	}
	file, err := createBeside(path)
	if err != nil {
		return err
	}
	_, err = file.Write(append(content, '\n'))
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), path)
}
