package modelarts

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
)

// DatasetListOptions are the query parameters of the list. A zero field is not sent, and the service's
// default holds; where zero or false means something of its own, the field is a pointer.
type DatasetListOptions struct {
	// Limit is the size of a page, 1 to 100. The service's default is 10, that of [Client.Datasets] 100.
	Limit int `url:"limit,omitempty"`
	// Offset is the index of the page, counted from 0. That is how it is documented; see [Client.Datasets].
	Offset        int          `url:"offset,omitempty"`
	SortBy        string       `url:"sort_by,omitempty"`        // "create_time" or "dataset_name"
	Order         string       `url:"order,omitempty"`          // "desc" or "asc"
	SearchContent string       `url:"search_content,omitempty"` // a fuzzy search in the names
	DatasetType   *DatasetType `url:"dataset_type,omitempty"`
	// CheckRunningTask fills ExistRunningTask and RunningTasksID of the datasets.
	CheckRunningTask bool `url:"check_running_task,omitempty"`
	// RunningTaskType: 0 auto labeling, 1 pre-labeling, 2 export, 3 version switch, 4 manifest export,
	// 5 manifest import, 6 version publishing, 7 auto grouping.
	RunningTaskType *int  `url:"running_task_type,omitempty"`
	ContainVersions *bool `url:"contain_versions,omitempty"`
	SupportExport   bool  `url:"support_export,omitempty"`
	// TrainEvaluateRatio filters by how versions were split, such as "0.0,1.0".
	TrainEvaluateRatio string `url:"train_evaluate_ratio,omitempty"`
	VersionFormat      *int   `url:"version_format,omitempty"` // 0 default, 1 CarbonData, 2 CSV
	// FilePreview asks for sample files. Their URLs are pre-signed and therefore not kept in a [Dataset].
	FilePreview bool `url:"file_preview,omitempty"`
	// WithLabels fills Labels. On large accounts it can make the gateway time out.
	WithLabels     bool   `url:"with_labels,omitempty"`
	WorkspaceID    string `url:"workspace_id,omitempty"`
	DatasetVersion string `url:"dataset_version,omitempty"` // "v1", "v2" or "all"; in newer documentation only
}

// DatasetPage is one page of the list.
type DatasetPage struct {
	Datasets []*Dataset `json:"datasets"`
	// TotalNumber is what the service says of the number of all datasets. Its newer documentation says
	// that it never exceeds 100, so do not count pages by it.
	TotalNumber int `json:"total_number"`
}

const datasetsPath = "/v2/{project_id}/datasets"

// ListDatasets returns one page of the project's datasets:
//
//	GET /v2/{project_id}/datasets
//
// opts may be nil. Use [Client.Datasets] for all pages.
func (c *Client) ListDatasets(ctx context.Context, opts *DatasetListOptions) (*DatasetPage, error) {
	req, err := c.NewRequest(ctx, http.MethodGet, datasetsPath, opts, nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		DatasetPage
		TotalNumber *int `json:"total_number"`
	}
	if _, err := c.exchange.do(req, call{
		out: &answer, path: datasetsPath,
		valid: func() string {
			if answer.Datasets != nil || answer.TotalNumber != nil {
				return ""
			}
			return `the answer has neither "datasets" nor "total_number"` // an empty list has
		},
	}); err != nil {
		return nil, err
	}
	page := &answer.DatasetPage
	page.Datasets = slices.DeleteFunc(page.Datasets, func(dataset *Dataset) bool { return dataset == nil })
	if answer.TotalNumber != nil {
		page.TotalNumber = *answer.TotalNumber
	}
	return page, nil
}

const (
	largestPage = 100
	// cappedTotal is where the service's newer documentation says that total_number stops counting.
	cappedTotal = 100
)

// Datasets iterates over all datasets that opts select, page after page, from opts.Offset on. opts may be
// nil; it is copied. An error comes once, as the last pair, with a nil dataset.
//
// The service documents the list's offset as the index of a page, while some clients use it as the index of
// an item. Datasets begins by the documentation, notices a service of the other kind, never yields a dataset
// twice, and ends when a page brings nothing new.
func (c *Client) Datasets(ctx context.Context, opts *DatasetListOptions) iter.Seq2[*Dataset, error] {
	return func(yield func(*Dataset, error) bool) {
		var query DatasetListOptions
		if opts != nil {
			query = *opts
		}
		if query.Limit == 0 {
			query.Limit = largestPage
		}
		full := query.Limit // the length of a page that has others behind it
		seen := make(map[string]bool)
		byItem := false
		var beginning []string // of the page before
		for {
			page, err := c.ListDatasets(ctx, &query)
			if err != nil {
				yield(nil, err)
				return
			}
			before := len(seen)
			for _, dataset := range page.Datasets {
				if seen[dataset.ID] {
					continue
				}
				seen[dataset.ID] = true
				if !yield(dataset, nil) {
					return
				}
			}
			added, length := len(seen)-before, len(page.Datasets)
			promised := page.TotalNumber > len(seen) // there are more
			switch {
			case length == 0,
				added == 0 && (byItem || !promised),
				length < full && !promised,
				page.TotalNumber > cappedTotal && !promised:
				return
			case promised:
				full = min(full, length) // the service may give less than it is asked for
			}
			// A page index moves on to datasets not seen, and datasets created meanwhile repeat the end of the
			// page before. An item index moves on by one, and repeats its beginning.
			if added == 0 || length > 2 && slices.ContainsFunc(page.Datasets, func(dataset *Dataset) bool {
				return slices.Contains(beginning, dataset.ID)
			}) {
				byItem = true
			}
			beginning = beginning[:0]
			for _, dataset := range page.Datasets[:min(2, length)] {
				beginning = append(beginning, dataset.ID)
			}
			if byItem {
				query.Offset += length
			} else {
				query.Offset++
			}
		}
	}
}

// GetDataset returns one dataset:
//
//	GET /v2/{project_id}/datasets/{dataset_id}
//
// A dataset that does not exist gives an error that matches [ErrDatasetNotFound].
func (c *Client) GetDataset(ctx context.Context, datasetID string) (*Dataset, error) {
	dataset := new(Dataset)
	valid := func() string {
		if dataset.ID == datasetID {
			return ""
		}
		return anotherDataset
	}
	if _, err := c.doDataset(ctx, http.MethodGet, datasetPath, datasetID, call{out: dataset, valid: valid}); err != nil {
		return nil, err
	}
	return dataset, nil
}

// FindDataset returns the dataset with exactly this name. The service itself searches fuzzily, so this
// reads every page of what it finds. No such dataset is an error that matches [ErrDatasetNotFound]; two of
// the same name are an error that names both ids.
func (c *Client) FindDataset(ctx context.Context, name string) (*Dataset, error) {
	if name == "" {
		return nil, errors.New("modelarts: the dataset name is empty")
	}
	var found *Dataset
	for dataset, err := range c.Datasets(ctx, &DatasetListOptions{SearchContent: name}) {
		switch {
		case err != nil:
			return nil, err
		case dataset.Name != name:
		case found != nil:
			return nil, fmt.Errorf("modelarts: two datasets have the name %s: ids %s and %s",
				quote(name), quote(found.ID), quote(dataset.ID))
		default:
			found = dataset
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%w: none has the name %s", ErrDatasetNotFound, quote(name))
	}
	return found, nil
}
