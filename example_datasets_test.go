package modelarts_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// fakeWithDatasets is a fake service with three datasets, for the examples of this file.
func fakeWithDatasets() *modelartstest.Server {
	fake := modelartstest.New()
	fake.AddDataset(modelarts.Dataset{ID: "d1", Name: "street-signs", Type: modelarts.DatasetObjectDetection})
	fake.AddDataset(modelarts.Dataset{ID: "d2", Name: "street-signs-old", Type: modelarts.DatasetImageClassification})
	fake.AddDataset(modelarts.Dataset{ID: "d3", Name: "voices", Type: modelarts.DatasetSoundClassification})
	return fake
}

func ExampleClient_FindDataset() {
	client := fakeWithDatasets().Client()

	dataset, err := client.FindDataset(context.Background(), "street-signs")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(dataset.ID, dataset.Type, dataset.Status)

	_, err = client.FindDataset(context.Background(), "street") // a part of a name is none
	fmt.Println(errors.Is(err, modelarts.ErrDatasetNotFound))
	// Output:
	// d1 object detection normal
	// true
}

// All datasets, page after page. To break out of the loop is fine.
func ExampleClient_Datasets() {
	client := fakeWithDatasets().Client()

	for dataset, err := range client.Datasets(context.Background(), &modelarts.DatasetListOptions{SortBy: "dataset_name", Order: "asc"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(dataset.ID, dataset.Name)
	}
	// Output:
	// d1 street-signs
	// d2 street-signs-old
	// d3 voices
}

// One page, for a program that shows pages. Datasets goes through all of them.
func ExampleClient_ListDatasets() {
	client := fakeWithDatasets().Client()

	page, err := client.ListDatasets(context.Background(), &modelarts.DatasetListOptions{Limit: 2, SortBy: "dataset_name", Order: "asc"})
	if err != nil {
		log.Fatal(err)
	}
	for _, dataset := range page.Datasets {
		fmt.Println(dataset.Name)
	}
	fmt.Println("of", page.TotalNumber)
	// Output:
	// street-signs
	// street-signs-old
	// of 3
}

func ExampleClient_GetDataset() {
	client := fakeWithDatasets().Client()

	dataset, err := client.GetDataset(context.Background(), "d3")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(dataset.Name, dataset.Status == modelarts.DatasetSynchronizing)

	_, err = client.GetDataset(context.Background(), "gone")
	fmt.Println(errors.Is(err, modelarts.ErrDatasetNotFound))
	// Output:
	// voices false
	// true
}

// Where zero is a value of its own, as the type of image classification, the option is a pointer.
func ExampleDatasetListOptions() {
	client := fakeWithDatasets().Client()

	images := modelarts.DatasetImageClassification
	opts := &modelarts.DatasetListOptions{SearchContent: "street", DatasetType: &images}
	for dataset, err := range client.Datasets(context.Background(), opts) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(dataset.ID, dataset.Name)
	}
	// Output: d2 street-signs-old
}

// The service may add types; they print as numbers.
func ExampleDatasetType() {
	fmt.Println(modelarts.DatasetVideo, int(modelarts.DatasetVideo))
	fmt.Println(modelarts.DatasetType(1234))
	// Output:
	// video 600
	// 1234
}

func ExampleDatasetStatus() {
	fake := fakeWithDatasets()
	client := fake.Client()
	ctx := context.Background()
	if _, err := client.StartSync(ctx, "d1"); err != nil {
		log.Fatal(err)
	}

	dataset, err := client.GetDataset(ctx, "d1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(dataset.Status)
	// Output: synchronizing
}
