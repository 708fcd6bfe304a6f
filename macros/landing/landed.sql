{#-
  The materialization of a raw table: an archive of landed rows, each delivery of which is loaded exactly once.

  `meta` says: `source`, the kind of data; `changes`, the macro that tells what is to be loaded (below); `intake`, the
  model that tells what has landed; `files`, the one that keeps what is known of what was loaded; `columns`, those that
  every file has; `evolves`, whether each further column of a file becomes one of the table.
  A file (or day) that is new, or has other content than was loaded, replaces whatever it gave before, in one commit for
  all of a run: a run killed after it loads the same again, with the same result. `--full-refresh` does not empty the
  archive.
-#}
{% materialization landed, adapter='spark' %}
    {{ run_hooks(pre_hooks) }}
    {%- set changes = load_landed(model, this, compiled_code) -%}
    {% call noop_statement('main', 'OK ' ~ changes.to_load | length ~ ' files loaded') -%} {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}


{#-
  Load what is new into the raw table of a node: `sql` selects from the view landed_rows(relation). Returns what the
  macro named by `meta.changes` returned. That macro gets the node, and whether all that raw holds is judged, and returns
  `to_load`, a list of objects with `file_id`, `columns` and `reading`, and `scope` (see scope_predicate), which rows they
  replace; none where there is nothing to do.
  It finds what an earlier run loaded and no run judged (see is_raw_judged), which is loaded again; `is_judged`, which is
  added to its answer, says whether there was none.

  The load is noted at the table, in two properties, for the model that judges or records the files:
    strata.stock: the listing of the landing folder that was loaded
    strata.loaded_after: the version of the table before, where all that it held was judged; else empty
-#}
{% macro load_landed(node, relation, sql) %}
    {%- set meta = node.config.meta -%}
    {%- set unreadable = env_var('STRATA_UNREADABLE_' ~ meta.source | upper, '') -%}
    {%- if unreadable -%}
        {% do exceptions.raise_compiler_error(unreadable) %}
    {%- endif -%}
    {%- set existing = load_relation(relation) -%}
    {%- set files = built_relation(meta.files) -%}
    {%- set is_raw_known = is_raw_judged(existing, files) -%}
    {%- set is_judged = is_raw_known and not has_older_reader(node, existing) -%}
    {%- set note = {
        'strata.stock': landed_stock(meta.source),
        'strata.loaded_after': judged_through(files) if is_judged else '',
    } -%}
    {%- set changes = context[meta.changes](node, is_raw_known) -%}
    {%- if existing is none or changes.scope is not none -%}
        {%- set to_load = changes.to_load | selectattr('columns') | list -%}
        {%- set others = other_columns_of(to_load, meta.columns, existing, own_columns(node.name)) if meta.get('evolves') else [] -%}
        {% do create_landed_view(relation, meta, to_load, others) %}
        {%- if existing is none -%}
            {% do create_delta_table(node, relation, described_columns(node, sql) if meta.get('evolves') else sql) %}
        {%- endif -%}
        {%- if changes.scope is not none and (existing is not none or meta.get('evolves')) -%}
            {% do add_columns(relation, others) %}
            {% call statement('load_landed') -%}
                {{ replace_where(relation, changes.scope, meta.get('scope_column'), in_columns_of(relation, sql)) }}
            {%- endcall %}
        {%- endif -%}
    {%- endif -%}
    {%- if existing is none or changes.scope is not none or not is_judged -%}
        {% do note.update({'strata.reader': reader_of(node)} if reader_of(node) else {}) %}
        {% do set_table_properties(relation, note) %}
    {%- endif -%}
    {%- if not changes.to_load -%}
        {%- set listed = run_query('select count(*) from ' ~ built_relation(meta.intake) ~ ' where is_listed')[0][0] -%}
        {%- if listed == 0 -%}
            {{ log(
                'Nothing has landed: no file of ' ~ meta.source ~ ' in '
                ~ (var(meta.source ~ '_path', none) or (env_var('STRATA_LANDING') ~ '/' ~ meta.source)) ~ '.',
                info=True
            ) }}
        {%- endif -%}
    {%- endif -%}
    {% do changes.update({'is_judged': is_judged}) %}
    {{ return(changes) }}
{% endmacro %}


{#- For files that stand for themselves: each new or changed one, and those to be forgotten (see file_changes). -#}
{% macro changed_landed_files(node, is_judged) %}
    {%- set changes = file_changes(node, built_relation(node.config.meta.files), is_judged) -%}
    {%- set to_load = changes | selectattr('change', 'equalto', 'load') | list -%}
    {%- set paths = (to_load + changes | selectattr('change', 'equalto', 'forget') | list) | map(attribute='path') | list -%}
    {{ return({'to_load': to_load, 'scope': {'values': paths} if paths else none}) }}
{% endmacro %}


{#-
  What is to be done for each landed file: a list of objects with `path`, `change` (`load` it, `judge` again what is
  loaded, `forget` it), and for the load `file_id`, `columns`, `reading`; a file that cannot be read,
  or is empty, has no columns. `node` is that of raw, `files` the table of file states, none before it is there; `is_judged`
  says whether all that raw holds is known there.

  The same content with a later modification time is the same delivery unless a row of it was not valid (a time may no
  longer be in the future). A file of which not every row was read is read again: what stood in the way may have gone. So is
  one whose rows in raw are not those that were judged, and each one once where raw was read by an older reader. One that
  is scanned by other rules than before is judged again when these find a fault in it.
-#}
{% macro file_changes(node, files, is_judged) %}
    {%- set raw = built_relation(node.name) -%}
    {%- set sql -%}
        with landed as (
            select * from {{ built_relation(node.config.meta.intake) }}
        ),

        known as (
            {{ no_files() if files is none else 'select * from ' ~ files }}
        ),

        unjudged as (
            {{ 'select cast(null as string) as path where false' if is_judged else unjudged_files(raw, files) }}
        ),

        compared as (
            select
                coalesce(landed.path, known.path, unjudged.path) as path,
                case
                    when
                        landed.is_listed and (
                            known.path is null
                            or known.status = 'gone'
                            or unjudged.path is not null
                            or {{ has_older_reader(node, raw) | lower }}
                            or landed.content_hash <> known.content_hash
                            or landed.modified_at < known.modified_at
                            or (
                                landed.modified_at > known.modified_at
                                and (known.status = 'refused' or known.rows_quarantined > 0)
                            )
                            or (known.status = 'refused' and known.fault is null and known.rows_refused <> known.rows_landed)
                        )
                        then 'load'
                    when landed.same_as is not null and known.status <> 'gone'
                        then 'forget'
                    when known.status = 'refused' and coalesce(landed.is_gone, true)
                        then 'forget'
                    when unjudged.path is not null and known.status = 'gone'
                        then 'forget'
                    when known.status = 'refused' or unjudged.path is not null or known.is_doubled
                        then 'judge'
                    when landed.is_listed and not landed.is_unreachable and not (landed.fault <=> known.fault)
                        then 'judge'
                end as change,
                landed.file_id,
                landed.columns,
                landed.reading
            from landed
            full outer join (
                select
                    *,
                    count(*) over (partition by path) > 1 as is_doubled
                from known
            ) as known on landed.path = known.path
            full outer join unjudged on coalesce(landed.path, known.path) = unjudged.path
        )

        select distinct path, change, file_id, to_json(columns) as columns, reading
        from compared
        where change is not null
        order by path
    {%- endset -%}
    {%- set changes = [] -%}
    {%- for row in run_query(sql) -%}
        {% do changes.append({
            'path': row[0], 'change': row[1], 'file_id': row[2], 'columns': fromjson(row[3]) if row[3] else [],
            'reading': row[4],
        }) %}
    {%- endfor -%}
    {{ return(changes) }}
{% endmacro %}
