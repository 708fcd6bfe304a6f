{#-
  The materialization of a raw table: an archive of landed rows, each delivery of which is loaded exactly once. It is for the
  models raw_<source>, whose body is landed() of the declared source.

  A delivery is a file, or of a daily snapshot all files of a day's folder. One that is new, or has other content than was
  loaded, replaces whatever it gave before, in one commit for all of a run; what was loaded is noted in raw.loaded_files
  (macros/landing/loaded_files.sql). A run killed in between is found by the next, which loads the same again, with the same
  result. `--full-refresh` does not empty the archive.
-#}
{% materialization landed, adapter='spark' %}
    {{ run_hooks(pre_hooks) }}
    {%- set count = _load_source(declared(model.sources[0][1])) -%}
    {% call noop_statement('main', 'OK ' ~ count ~ ' files loaded') -%} {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}


{#- The body of a raw model: what its table takes of the rows that have landed, a view that the load makes. -#}
{% macro landed(landed_source) -%}
    {%- set source = declared(landed_source.identifier) -%}
    {#-
      dbt's state:modified compares no columns of a source, and knows no macro of a materialization: with these two lines the
      model is another when its declaration is, or its materialization.
    -#}
    {{ config(meta={'declaration': local_md5(tojson(source, sort_keys=true))}) }}
    {%- if false -%}{{ materialization_landed_spark() }}{%- endif -%}
    -- What is loaded is noted there: depends_on: {{ ref('loaded_files') }}
    {{ _landed_select(source) }}
{%- endmacro %}


{#-
  The one loader: load into raw what has landed of a source and is not there, and note it in raw.loaded_files. Called by the
  materialization above, and by the snapshot of a history, since `dbt snapshot` runs nothing but snapshots. Returns how many
  files were loaded.
-#}
{% macro _load_source(source) %}
    {%- set unreadable = env_var('STRATA_UNREADABLE_' ~ source.name | upper, '') -%}
    {%- if unreadable -%}
        {% do exceptions.raise_compiler_error(unreadable) %}
    {%- endif -%}
    {%- set raw = _place_of('raw_' ~ source.name) -%}
    {%- set existing = load_relation(raw) -%}
    {%- if model.name != 'raw_' ~ source.name and existing is none and _deferred_relation('raw_' ~ source.name) is not none -%}
        {#- The history follows the state's raw table, which this run does not write. -#}
        {{ return(0) }}
    {%- endif -%}
    {%- if existing is none -%}
        {% do _forget_all_files(source, raw) %}
    {%- elif not _is_all_noted(existing) -%}
        {% do _note_what_raw_holds(source, existing) %}
    {%- endif -%}
    {%- set changes = _deliveries_to_load(source) if source.arrives == 'daily_snapshot' else _files_to_load(source) -%}
    {%- if existing is none or changes.is_any -%}
        {%- if source.arrives == 'growing_lines' -%}
            {% do _load_lines(source, raw, existing, changes) %}
        {%- else -%}
            {% do _load_rows(source, raw, existing, changes) %}
        {%- endif -%}
    {%- endif -%}
    {% do _refuse_replaced_files(source, changes.to_load) %}
    {%- if existing is none or changes.is_any or changes.deliveries -%}
        {% do _note_loaded_files(source, raw, changes) %}
    {%- endif -%}
    {%- if existing is none or changes.is_any -%}
        {% do _note_all_is_noted(raw) %}
        {% do _drop_judged_keys(source) if source.arrives == 'growing_lines' %}
    {%- endif -%}
    {%- if source.arrives == 'growing_lines' and flags.FULL_REFRESH -%}
        {% do _add_waiting_key_columns(source, raw) %}
    {%- endif -%}
    {%- set counted = 'select count(*) from (' ~ _listed_files(source.name) ~ ') where is_listed' -%}
    {%- if not changes.to_load and _answer('how much has landed of ' ~ source.name, counted)[0][0] == 0 -%}
        {{ log(
            'Nothing has landed: no file of ' ~ source.name ~ ' in '
            ~ (var(source.name ~ '_path', none) or (env_var('STRATA_LANDING') ~ '/' ~ source.name)) ~ '.',
            info=True
        ) }}
    {%- endif -%}
    {{ return(changes.to_load | length) }}
{% endmacro %}


{#-
  Files that are read where they lie may have been replaced since they were counted: list them once more, and note nothing where
  one has. The next run finds that not all is noted of what raw holds, and loads it again.
-#}
{% macro _refuse_replaced_files(source, to_load) %}
    {%- for files in to_load | rejectattr('location', 'none') | list | batch(1000) -%}
        {%- set view = _landed_rows(source) ~ '__replaced' -%}
        {%- set objects = [] -%}
        {%- for file in files -%}
            {% do objects.append([file.location, fromjson(file.stamp)]) %}
        {%- endfor -%}
        {% do run_query(
            'create or replace temporary view ' ~ view ~ " using strata options (task 'replaced', objects "
            ~ _text_literal(tojson(objects)) ~ ')'
        ) %}
        {%- set replaced = run_query('select value from ' ~ view).columns[0].values() -%}
        {%- if replaced -%}
            {% do exceptions.raise_compiler_error(
                'The file ' ~ replaced | sort | first ~ ' was replaced while ' ~ source.name ~ ' was loaded, so that nothing of this'
                ~ ' load counts: run the same command again.'
            ) %}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#- Load rows of CSV files. -#}
{% macro _load_rows(source, raw, existing, changes) %}
    {%- set to_load = changes.to_load | selectattr('columns') | list -%}
    {%- set own = _raw_columns(source) -%}
    {#- Each further column of a snapshot is one of the tables; of events they stand in other_columns. -#}
    {%- set others = _other_columns_of(to_load, source, existing, own) if source.arrives == 'daily_snapshot' else [] -%}
    {% do _create_landed_view(source, to_load, others) %}
    {%- set sql = _landed_select(source) -%}
    {%- if existing is none -%}
        {% do _create_raw_table(source, raw, 'select `' ~ own | join('`, `') ~ '` from (' ~ sql ~ ')' ~ (' where false' if others else '')) %}
    {%- endif -%}
    {%- if existing is not none or others -%}
        {% do _add_columns(raw, others) %}
        {% call statement('load_rows') -%}
            {{ _replace_where(raw, _deliveries_in(source, changes, 'raw'), _in_columns_of(raw, sql)) }}
        {%- endcall %}
    {%- endif -%}
{% endmacro %}


{#-
  Make the raw table of a source from a query. Of lines the tables that are made of them follow this one; of rows what is known
  of their files.
-#}
{% macro _create_raw_table(source, raw, sql) %}
    {% do _create_delta_table(
        _built_node('raw_' ~ source.name), raw, sql,
        {'delta.enableChangeDataFeed': 'true'} if source.arrives == 'growing_lines' else {},
    ) %}
{% endmacro %}


{#- The columns that a raw table has from the start, before those that landed names gave it. -#}
{% macro _raw_columns(source) %}
    {%- if source.arrives == 'growing_lines' -%}
        {{ return(source.columns | map(attribute='name') | list + ([source.key] if source.key_expression else [])
            + ['value_count', 'other_values', 'line', 'path', 'landed_on', 'file_modified_at', 'loaded_at']) }}
    {%- endif -%}
    {{ return(source.columns | map(attribute='raw_name') | list
        + ['other_columns', 'malformed_line', 'path', 'file_modified_at', 'loaded_at']
        + (['year', 'month', 'day'] if source.arrives == 'daily_snapshot' else [])) }}
{% endmacro %}


{#- What a raw table takes of the view of landed rows: its columns, and of a snapshot those that landed names give it. -#}
{% macro _landed_select(source) -%}
    {%- if source.arrives == 'growing_lines' -%}
    {{ _landed_lines_select(source, []) }}
    {%- elif source.arrives == 'daily_snapshot' -%}
    select
        * except (_landed_on),
        current_timestamp() as loaded_at,
        year(_landed_on) as year,
        month(_landed_on) as month,
        day(_landed_on) as day
    from {{ _landed_rows(source) }}
    {%- else -%}
    select
        * except (_landed_on),
        current_timestamp() as loaded_at
    from {{ _landed_rows(source) }}
    {%- endif -%}
{%- endmacro %}


{#- The condition that the deliveries of some changes are in, on a raw table, or on `loaded_files` or a listing. -#}
{% macro _deliveries_in(source, changes, where) -%}
    {%- if source.arrives != 'daily_snapshot' -%}
        {{ _scope_predicate({'values': changes.deliveries}, 'path') }}
    {%- else -%}
        {{ _scope_predicate({'days': changes.deliveries}, none if where == 'raw' else 'landed_on') }}
    {%- endif -%}
{%- endmacro %}
