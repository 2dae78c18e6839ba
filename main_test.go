package modelarts_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/internal/leaktest"
)

// noLeaks is the first line of every test.
func noLeaks(t *testing.T) {
	t.Helper()
	leaktest.Check(t, func() {
		// All clients without an http.Client of their own share their connections.
		if client, err := modelarts.NewClient("https://localhost", "p", nil); err == nil {
			client.CloseIdleConnections()
		}
	})
}

func TestEveryTestLooksForLeaks(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				assert.True(t, startsWithCheck(f.Body), "%s in %s does not begin with noLeaks or leaktest.Check", f.Name, name)
			}
		}
	}
}

func startsWithCheck(body *ast.BlockStmt) bool {
	statement, ok := body.List[0].(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := statement.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name == "noLeaks"
	case *ast.SelectorExpr:
		return f.Sel.Name == "Check"
	default:
		return false
	}
}
