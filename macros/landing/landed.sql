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
  macro named by `meta.changes` returned; `announce` notes the load at the table, for the model that judges or records the
  files asks for it.

  That macro gets the node and returns `to_load`, a list of objects with `file_id`, `columns`
  and `reading`, and `scope` (see scope_predicate), which rows they replace; none where there is nothing to do.
-#}
{% macro load_landed(node, relation, sql, announce=true) %}
    {%- set meta = node.config.meta -%}
    {%- set unreadable = env_var('STRATA_UNREADABLE_' ~ meta.source | upper, '') -%}
    {%- if unreadable -%}
        {% do exceptions.raise_compiler_error(unreadable) %}
    {%- endif -%}
    {%- set existing = load_relation(relation) -%}
    {%- set changes = context[meta.changes](node) -%}
    {%- if existing is none or changes.scope is not none -%}
        {%- set to_load = changes.to_load | selectattr('columns') | list -%}
        {%- set others = other_columns_of(to_load, meta.columns) if meta.get('evolves') else [] -%}
        {% do create_landed_view(relation, meta, to_load, others) %}
        {%- if existing is none -%}
            {%- set properties = {'strata.loaded_by': invocation_id} -%}
            {% do create_delta_table(node, relation, described_columns(node, sql) if meta.get('evolves') else sql, properties) %}
        {%- endif -%}
        {%- if changes.scope is not none and (existing is not none or meta.get('evolves')) -%}
            {% do add_columns(relation, others) %}
            {% call statement('load_landed') -%}
                {{ replace_where(relation, changes.scope, meta.get('scope_column'), in_columns_of(relation, sql)) }}
            {%- endcall %}
        {%- endif -%}
    {%- endif -%}
    {%- if announce and existing is not none and (changes.to_load or built_relation(meta.files) is none) -%}
        {% do set_table_properties(relation, {'strata.loaded_by': invocation_id}) %}
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
    {{ return(changes) }}
{% endmacro %}


{#- For files that stand for themselves: each new or changed one, and the refused ones that have gone (see file_changes). -#}
{% macro changed_landed_files(node) %}
    {%- set changes = file_changes(built_relation(node.config.meta.intake), built_relation(node.config.meta.files)) -%}
    {%- set to_load = changes | selectattr('change', 'equalto', 'load') | list -%}
    {%- set paths = (to_load + changes | selectattr('change', 'equalto', 'forget') | list) | map(attribute='path') | list -%}
    {{ return({'to_load': to_load, 'scope': {'values': paths} if paths else none}) }}
{% endmacro %}


{#-
  What is to be done for each landed file: a list of objects with `path`, `change` (`load` it, `judge` again what is
  loaded, `forget` it), and for the load `file_id`, `columns`, `reading`; a file that cannot be read,
  or is empty, has no columns.

  The same content with a later modification time is the same delivery unless a row of it was not valid (a time may no
  longer be in the future).
-#}
{% macro file_changes(intake, files) %}
    {%- set sql -%}
        with landed as (
            select * from {{ intake }}
        ),

        known as (
            {{ no_files() if files is none else 'select * from ' ~ files }}
        ),

        compared as (
            select
                coalesce(landed.path, known.path) as path,
                case
                    when
                        landed.is_listed and (
                            known.path is null
                            or known.status = 'gone'
                            or landed.content_hash <> known.content_hash
                            or landed.modified_at < known.modified_at
                            or (
                                landed.modified_at > known.modified_at
                                and (known.status = 'refused' or known.rows_quarantined > 0)
                            )
                        )
                        then 'load'
                    when known.status = 'refused' and coalesce(landed.is_gone, true)
                        then 'forget'
                    when known.status = 'refused'
                        then 'judge'
                end as change,
                landed.file_id,
                landed.columns,
                landed.reading
            from landed
            full outer join known on landed.path = known.path
        )

        select path, change, file_id, to_json(columns) as columns, reading
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
