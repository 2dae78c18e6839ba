package modelarts_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// TestRandomTroubles lets synchronizations run into faults of all kinds, at random moments, with keys that
// expire on the way. Whatever happens: the start is carried out once, a key is fetched once for each time that
// the one before has expired, and the end is the new task's own, told once, as the last thing.
func TestRandomTroubles(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for seed := range uint64(200) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { troubled(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func troubled(t *testing.T, random *rand.Rand) {
	t.Helper()
	const keyLife = 3 * time.Minute
	upTo := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d))) }
	fake := credFake()
	keys := credTemporary(fake, keyLife)
	client := credClient(t, fake, modelarts.NewSigner(keys), modelarts.WithRetryPolicy(modelarts.RetryPolicy{MaxAttempts: 12}))

	end := []modelarts.SyncState{modelarts.SyncCompleted, modelarts.SyncFailed}[random.IntN(2)]
	var plan []modelarts.SyncStatus
	for range random.IntN(30) {
		state := []modelarts.SyncState{modelarts.SyncQueuing, modelarts.SyncStarting, modelarts.SyncRunning, "PAUSED"}[random.IntN(4)]
		plan = append(plan, modelarts.SyncStatus{Status: state})
	}
	fake.AddDataset(modelarts.Dataset{ID: "d"}, append(plan, modelarts.SyncStatus{Status: end})...)
	if random.IntN(3) > 0 {
		state := []modelarts.SyncState{modelarts.SyncCompleted, modelarts.SyncFailed}[random.IntN(2)]
		fake.SetSyncStatus("d", modelarts.SyncStatus{TaskID: "yesterday", Status: state, CreateTime: 1})
	}
	fake.SetRegistrationDelay(upTo(20 * time.Second))
	for range random.IntN(20) {
		fault := []modelartstest.Fault{
			{Drop: true},
			{Drop: true, After: true},
			{Status: []int{408, 500, 502, 503, 504}[random.IntN(5)], After: random.IntN(2) == 0},
			{Status: 429, RetryAfter: upTo(10 * time.Second)},
			{Status: 503, Code: "APIGW.0613"},
			{Delay: upTo(time.Minute), After: random.IntN(2) == 0},
			{Status: 200, Body: `{"status":"COMPL`, Header: http.Header{"Content-Length": {"99"}}, Method: http.MethodGet},
			{}, // it passes
		}[random.IntN(8)]
		fault.Times = random.IntN(3)
		if fault.Method == "" && random.IntN(3) == 0 {
			fault.Method = http.MethodPost
		}
		fake.Inject(fault, modelartstest.Fault{Times: 1 + random.IntN(3)}) // some pass in between
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	began := time.Now()
	task, err := client.StartSync(ctx, "d")
	require.NoError(t, err)
	ends := 0
	var last *modelarts.SyncStatus
	for status, err := range client.WatchSync(ctx, task, nil) {
		assert.Zero(t, ends, "nothing comes behind the end")
		require.NotNil(t, status)
		assert.NotEqual(t, "yesterday", status.TaskID)
		if status.Status.Finished() {
			ends++
			require.Equal(t, status.Status == modelarts.SyncFailed, errors.Is(err, modelarts.ErrSyncFailed))
		} else {
			require.NoError(t, err)
		}
		last = status
	}
	assert.Equal(t, 1, ends)
	assert.Equal(t, end, last.Status)
	assert.True(t, strings.HasSuffix(last.TaskID, "_00000001"), "the first task that was started: %s", last.TaskID)
	assert.LessOrEqual(t, keys.asked.Load(), 1+int64(time.Since(began)/(keyLife-keyLife/10)), "fetches of keys")
}
