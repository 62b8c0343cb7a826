"""Running notebooks without a person: parameters, the papermill engine, and the runner that seals."""
