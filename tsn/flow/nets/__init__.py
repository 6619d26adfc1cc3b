"""Small nets beside the estimators: refinement of flow, and prediction of occlusion."""
