package modelarts

import (
	"net/url"
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
