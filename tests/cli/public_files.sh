# As public_layouts.sh, what lies in several files: one sample each, and links from a master file.
# shellcheck source=tests/cli/public_common
. "$HISS_ROOT/tests/cli/public_common"

# Only on request does hiss read other files than the one that is named.
"$public_h5" nexus 0 200 run_master.h5 run_data_000001.h5
for row in NeXus Eiger; do
    like $row '200 images of 16 x 16 x 1' data.images=/counts
    keys $row
    refused 2 'data.follow' "$HISS" train config.yaml --run no "${keys[@]}" --set data.follow=false
done
mv run_data_000001.h5 other.h5
keys NeXus
refused 1 'run_data_000001.h5' "$HISS" train config.yaml --run no "${keys[@]}"
[ ! -e no ] || fail 'a run is left behind'

# Nobody has classes for these: NAT needs none, and eval tells what needs none.
kinds=nat
mkdir cosmoflow deepcam
"$public_h5" cosmoflow 0 200 cosmoflow
like CosmoFlow '200 images of 16 x 16 x 16' data.images=/volumes data.layout=NdHWC 'data.range=[0,255]' 'data.labels=""'

"$public_h5" deepcam 0 200 deepcam
like DeepCAM '200 images of 16 x 16 x 16' data.images=/climate 'data.range=[0,1]' augment.mean=auto augment.std=auto 'data.labels=""'
echo ok
