module github.com/modelarts-go/modelarts/examples/fleet

go 1.25.0

require (
	github.com/modelarts-go/modelarts v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/sync v0.22.0
	golang.org/x/time v0.15.0
)

require (
	github.com/google/go-querystring v1.2.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/modelarts-go/modelarts => ../..
