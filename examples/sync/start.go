package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/modelarts-go/modelarts"
)

// task returns what to wait for: the task of the resume file, the one that runs, or one that is started now.
func (p *program) task(ctx context.Context, client *modelarts.Client) (modelarts.SyncTask, error) {
	if p.resume != "" {
		left, found, err := loadNote(p.resume)
		if err != nil || found {
			return p.resumed(ctx, client, left, err)
		}
		if p.dataset == "" {
			return left.SyncTask, &misuse{fmt.Errorf("there is no file %s yet, so add -dataset NAME or -dataset ID", p.resume)}
		}
		// A file that cannot be written is found out before anything is asked for or started.
		if err := trySave(p.resume); err != nil {
			return modelarts.SyncTask{}, &misuse{err}
		}
	}
	dataset, err := find(ctx, client, p.dataset)
	if err != nil {
		return modelarts.SyncTask{}, err
	}
	if p.waitOnly {
		return modelarts.SyncTask{DatasetID: dataset}, nil
	}
	if p.resume == "" {
		return client.StartSync(ctx, dataset)
	}
	return p.startAndSave(ctx, client, dataset)
}

// startAndSave starts a synchronization and writes the resume file.
func (p *program) startAndSave(ctx context.Context, client *modelarts.Client, dataset string) (modelarts.SyncTask, error) {
	task, err := client.StartSync(ctx, dataset)
	if err != nil && !errors.Is(err, modelarts.ErrStartUnknown) {
		return task, err
	}
	if failed := saveNote(p.resume, note{task, p.dataset}); failed != nil {
		return task, fmt.Errorf("the synchronization was started, or may have been, but not noted (-wait-only joins it): %w", failed)
	}
	return task, err
}

// resumed returns the task of the resume file, if it is of the dataset that was asked for. The same command as
// before needs no look at the service for that, so that it goes on in an outage too.
func (p *program) resumed(ctx context.Context, client *modelarts.Client, left note, err error) (modelarts.SyncTask, error) {
	if err != nil || p.dataset == "" || p.dataset == left.DatasetID || p.dataset == left.Asked {
		return left.SyncTask, err
	}
	dataset, err := find(ctx, client, p.dataset)
	switch {
	case err != nil:
		err = fmt.Errorf("whether %s is about %s: %w (without -dataset, its task is waited for, that of %s)", p.resume, p.dataset, err, left.DatasetID)
	case dataset != left.DatasetID:
		err = &misuse{fmt.Errorf("%s is about dataset %s, not about %s", p.resume, left.DatasetID, p.dataset)}
	}
	return left.SyncTask, err
}

// find returns the id of a dataset, given that or its name.
func find(ctx context.Context, client *modelarts.Client, nameOrID string) (string, error) {
	_, err := client.GetDataset(ctx, nameOrID)
	if err == nil {
		return nameOrID, nil
	}
	if !errors.Is(err, modelarts.ErrDatasetNotFound) {
		return "", err
	}
	dataset, err := client.FindDataset(ctx, nameOrID)
	if err != nil {
		return "", err
	}
	return dataset.ID, nil
}
