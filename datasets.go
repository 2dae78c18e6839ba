package modelarts

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// DatasetType is what a dataset's samples are labeled for. The service may add numbers.
type DatasetType int

// The types that the service documents.
const (
	DatasetImageClassification DatasetType = 0
	DatasetObjectDetection     DatasetType = 1
	DatasetImageSegmentation   DatasetType = 3
	DatasetTextClassification  DatasetType = 100
	DatasetNamedEntity         DatasetType = 101
	DatasetTextTriplet         DatasetType = 102
	DatasetSoundClassification DatasetType = 200
	DatasetSpeechContent       DatasetType = 201
	DatasetSpeechParagraph     DatasetType = 202
	DatasetTable               DatasetType = 400
	DatasetVideo               DatasetType = 600
	DatasetCustom              DatasetType = 900
)

// String names the type in words, or gives its number where it has no name here.
func (t DatasetType) String() string { return first(typeNames[t], strconv.Itoa(int(t))) }

var typeNames = map[DatasetType]string{
	DatasetImageClassification: "image classification",
	DatasetObjectDetection:     "object detection",
	DatasetImageSegmentation:   "image segmentation",
	DatasetTextClassification:  "text classification",
	DatasetNamedEntity:         "named entity",
	DatasetTextTriplet:         "text triplet",
	DatasetSoundClassification: "sound classification",
	DatasetSpeechContent:       "speech content",
	DatasetSpeechParagraph:     "speech paragraph",
	DatasetTable:               "table",
	DatasetVideo:               "video",
	DatasetCustom:              "custom",
}

// EncodeValues writes the number into a query, where String would write the name.
func (t DatasetType) EncodeValues(key string, v *url.Values) error {
	v.Set(key, strconv.Itoa(int(t)))
	return nil
}

// DatasetStatus is the state of a dataset. The service may add numbers.
type DatasetStatus int

// The states that the service documents.
const (
	DatasetCreating      DatasetStatus = 0
	DatasetNormal        DatasetStatus = 1
	DatasetDeleting      DatasetStatus = 2
	DatasetDeleted       DatasetStatus = 3
	DatasetAbnormal      DatasetStatus = 4
	DatasetSynchronizing DatasetStatus = 5
	DatasetPublishing    DatasetStatus = 6
	DatasetSwitching     DatasetStatus = 7
	DatasetImporting     DatasetStatus = 8
)

// String names the status in words, or gives its number where it has no name here.
func (s DatasetStatus) String() string { return first(statusNames[s], strconv.Itoa(int(s))) }

var statusNames = map[DatasetStatus]string{
	DatasetCreating:      "creating",
	DatasetNormal:        "normal",
	DatasetDeleting:      "deleting",
	DatasetDeleted:       "deleted",
	DatasetAbnormal:      "abnormal",
	DatasetSynchronizing: "synchronizing",
	DatasetPublishing:    "publishing",
	DatasetSwitching:     "switching version",
	DatasetImporting:     "importing",
}

// Dataset is a dataset as [Client.ListDatasets] and [Client.GetDataset] return it, by the service's page
// "Querying the Dataset List". Times are milliseconds since the epoch (derived from its examples). What an
// answer does not have is zero here.
//
// Two things that the service sends are left out on purpose: the password of a database source, and the
// pre-signed URLs of sample files. Both are secrets, and a Dataset may be printed.
type Dataset struct {
	ID          string        `json:"dataset_id"`
	Name        string        `json:"dataset_name"`
	Description string        `json:"description,omitempty"`
	Type        DatasetType   `json:"dataset_type"`
	Status      DatasetStatus `json:"status"`

	CreateTime     int64 `json:"create_time,omitempty"`
	UpdateTime     int64 `json:"update_time,omitempty"`
	DataUpdateTime int64 `json:"data_update_time,omitempty"`

	DataFormat    string       `json:"data_format,omitempty"`    // such as "Default" or "CarbonData"
	DatasetFormat int          `json:"dataset_format,omitempty"` // 0 file, 1 table
	DataSources   []DataSource `json:"data_sources,omitempty"`

	TotalSampleCount        int64 `json:"total_sample_count,omitempty"`
	AnnotatedSampleCount    int64 `json:"annotated_sample_count,omitempty"`
	UnconfirmedSampleCount  int64 `json:"unconfirmed_sample_count,omitempty"`
	DeletedSampleCount      int64 `json:"deleted_sample_count,omitempty"`
	LoadingSampleCount      int64 `json:"loading_sample_count,omitempty"`
	TotalSubSampleCount     int64 `json:"total_sub_sample_count,omitempty"` // such as key frames of a video
	AnnotatedSubSampleCount int64 `json:"annotated_sub_sample_count,omitempty"`

	CurrentVersionID    string           `json:"current_version_id,omitempty"`
	CurrentVersionName  string           `json:"current_version_name,omitempty"`
	NextVersionNum      int64            `json:"next_version_num,omitempty"`
	DatasetVersionCount int64            `json:"dataset_version_count,omitempty"`
	Versions            []DatasetVersion `json:"versions,omitempty"` // the current one only

	WorkPath            string `json:"work_path,omitempty"` // a path in OBS, such as "/bucket/dir/"
	WorkPathType        int    `json:"work_path_type,omitempty"`
	InnerWorkPath       string `json:"inner_work_path,omitempty"`
	InnerAnnotationPath string `json:"inner_annotation_path,omitempty"`
	InnerDataPath       string `json:"inner_data_path,omitempty"`
	InnerLogPath        string `json:"inner_log_path,omitempty"`
	InnerTempPath       string `json:"inner_temp_path,omitempty"`
	InnerTaskPath       string `json:"inner_task_path,omitempty"`
	DataURL             string `json:"data_url,omitempty"` // in lists only
	ThirdPath           string `json:"third_path,omitempty"`

	Managed         bool   `json:"managed,omitempty"`
	ImportData      bool   `json:"import_data,omitempty"`
	ContentLabeling bool   `json:"content_labeling,omitempty"`
	ImportTaskID    string `json:"import_task_id,omitempty"`

	// ExistRunningTask and RunningTasksID are filled only where CheckRunningTask is asked for. The
	// service's list of task types has none for a synchronization; Status tells of those.
	ExistRunningTask bool     `json:"exist_running_task,omitempty"`
	RunningTasksID   []string `json:"running_tasks_id,omitempty"`

	ExistWorkforceTask bool  `json:"exist_workforce_task,omitempty"`
	WorkforceTaskCount int64 `json:"workforce_task_count,omitempty"`
	LabelTaskCount     int64 `json:"label_task_count,omitempty"`

	Labels              []DatasetLabel   `json:"labels,omitempty"` // only where WithLabels is asked for
	Schema              []DatasetField   `json:"schema,omitempty"` // of table datasets
	DatasetTags         []string         `json:"dataset_tags,omitempty"`
	FeatureSupports     []string         `json:"feature_supports,omitempty"`
	DeletionStats       map[string]int64 `json:"deletion_stats,omitempty"`
	DataStatistics      map[string]any   `json:"data_statistics,omitempty"`
	WorkspaceID         string           `json:"workspace_id,omitempty"` // "0" is the default workspace
	EnterpriseProjectID string           `json:"enterprise_project_id,omitempty"`
}

// DataSource is where a dataset's samples come from.
type DataSource struct {
	DataType         int         `json:"data_type"` // 0 OBS, 1 GaussDB(DWS), 2 DLI, 3 RDS, 4 MRS, 5 AI Gallery, 6 inference service
	DataPath         string      `json:"data_path,omitempty"`
	WithColumnHeader bool        `json:"with_column_header,omitempty"`
	SchemaMaps       []SchemaMap `json:"schema_maps,omitempty"`
	SourceInfo       *SourceInfo `json:"source_info,omitempty"`
}

// SchemaMap maps a column of the source to one of the dataset.
type SchemaMap struct {
	SrcName  string `json:"src_name"`
	DestName string `json:"dest_name"`
}

// SourceInfo is the database or cluster behind a source. The service sends every member as a string, and a
// password too, which is not kept.
type SourceInfo struct {
	ClusterID    string `json:"cluster_id,omitempty"`
	ClusterMode  string `json:"cluster_mode,omitempty"`
	ClusterName  string `json:"cluster_name,omitempty"`
	DatabaseName string `json:"database_name,omitempty"`
	Input        string `json:"input,omitempty"`
	IP           string `json:"ip,omitempty"`
	Port         string `json:"port,omitempty"`
	QueueName    string `json:"queue_name,omitempty"`
	SubnetID     string `json:"subnet_id,omitempty"`
	TableName    string `json:"table_name,omitempty"`
	UserName     string `json:"user_name,omitempty"`
	VPCID        string `json:"vpc_id,omitempty"`
}

// DatasetVersion is a published version of a dataset.
type DatasetVersion struct {
	VersionID     string `json:"version_id"`
	VersionName   string `json:"version_name,omitempty"`
	VersionFormat string `json:"version_format,omitempty"` // a word here, though a number in the list's filter
	Status        int    `json:"status,omitempty"`
	CreateTime    int64  `json:"create_time,omitempty"`
	UpdateTime    int64  `json:"update_time,omitempty"`
}

// DatasetLabel is a label of a dataset.
type DatasetLabel struct {
	Name     string         `json:"name"`
	Type     int            `json:"type,omitempty"`
	Property map[string]any `json:"property,omitempty"` // keys such as "@modelarts:color"
}

// DatasetField is a column of a table dataset.
type DatasetField struct {
	SchemaID    int64  `json:"schema_id"`
	Name        string `json:"name"`
	Type        string `json:"type,omitempty"`
	Description string `json:"description,omitempty"`
}

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
