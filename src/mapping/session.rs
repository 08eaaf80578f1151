//! The DataFusion session a mapping is planned and executed in.
//!
//! Takes table providers, gives a session over exactly these. It never touches a file, and nothing registered in one session is seen
//! by another: each chunk of records has its own catalogue.

use datafusion::catalog::{
    CatalogProvider as _, CatalogProviderList as _, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider as _, TableProvider,
};
use datafusion::common::Result;
use datafusion::config::Dialect;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionConfig;
use std::sync::Arc;

/// Tables by the names SQL knows them under.
pub type Providers = Vec<(String, Arc<dyn TableProvider>)>;

/// Records per Arrow batch inside the engine.
pub const BATCH_ROWS: usize = 1024;

const CATALOG: &str = "datafusion";
const SCHEMA: &str = "public";

/// A session without tables; `lookup` is the function of the same name.
pub fn base(lookup: Arc<ScalarUDF>) -> SessionState {
    let mut builder = builder();
    builder.scalar_functions().get_or_insert_default().push(lookup);
    builder.build()
}

/// The same session without look-ups: for looking.
pub fn plain() -> SessionState {
    builder().build()
}

fn builder() -> SessionStateBuilder {
    let mut config = SessionConfig::new()
        .with_target_partitions(1) // documents leave in one deterministic order
        .with_batch_size(BATCH_ROWS)
        .with_information_schema(false)
        .with_default_catalog_and_schema(CATALOG, SCHEMA);
    let parser = &mut config.options_mut().sql_parser;
    parser.dialect = Dialect::DuckDB; // STRUCT literals and `i -> …`
    parser.enable_ident_normalization = false; // or tradeNo becomes tradeno
    parser.parse_float_as_decimal = true; // or price * 1.13 becomes a float
    parser.map_string_types_to_utf8view = false;
    parser.collect_spans = true;
    SessionStateBuilder::new().with_config(config).with_default_features()
}

/// The same session over these tables and no others.
pub fn over(base: &SessionState, tables: &[(String, Arc<dyn TableProvider>)]) -> Result<SessionState> {
    let schema = Arc::new(MemorySchemaProvider::new());
    for (name, provider) in tables {
        schema.register_table(name.clone(), Arc::clone(provider))?;
    }
    let catalog = Arc::new(MemoryCatalogProvider::new());
    catalog.register_schema(SCHEMA, schema)?;
    let catalogs = Arc::new(MemoryCatalogProviderList::new());
    catalogs.register_catalog(CATALOG.to_owned(), catalog);
    Ok(SessionStateBuilder::new_from_existing(base.clone()).with_catalog_list(catalogs).build())
}
