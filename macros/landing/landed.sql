{#-
  The materialization of a raw table: an archive of landed rows, loaded file by file, exactly once.

  `meta.intake` names the model that tells what has landed, `meta.files` the one that holds each file's last state.
  A file that is new, or has other content than was loaded, replaces whatever its path gave before, in one commit for
  all files of a run: a run killed after it loads the same files again, with the same result. A refused file that has
  gone takes its rows along; every other file that has gone keeps them. `--full-refresh` does not empty the archive.
-#}
{% materialization landed, adapter='spark' %}
    {%- set meta = config.get('meta', {}) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set is_new = load_relation(this) is none -%}
    {{ run_hooks(pre_hooks) }}

    {%- set changes = file_changes(ref(meta.intake), built_relation(meta.files)) -%}
    {%- set to_load = changes | selectattr('change', 'equalto', 'load') | list -%}
    {%- set gone = changes | selectattr('change', 'equalto', 'forget') | list -%}
    {%- do model.update({'properties': {'strata.loaded_by': invocation_id}}) -%}
    {%- if not is_new and not to_load and not gone -%}
        {% call noop_statement('main', 'OK nothing new has landed') -%} {%- endcall %}
    {%- else -%}
        {% do create_landed_view(ref(meta.intake), to_load | selectattr('columns') | list, meta.columns) %}
        {% call statement('main') -%}
            {%- if is_new -%}
                {{ create_table_as(False, target_relation, compiled_code) }}
            {%- else -%}
                {{ replace_where(
                    target_relation, {'values': (to_load + gone) | map(attribute='path') | list}, 'path', compiled_code
                ) }}
            {%- endif -%}
        {%- endcall %}
    {%- endif -%}
    {%- if not is_new and (to_load or built_relation(meta.files) is none) -%}
        {#- What judges the files asks for it. -#}
        {% do set_table_property(target_relation, 'strata.loaded_by', invocation_id) %}
    {%- endif -%}
    {%- if not to_load and run_query('select count(*) from ' ~ ref(meta.intake) ~ ' where is_listed')[0][0] == 0 -%}
        {{ log('Nothing has landed: no file of ' ~ model.fqn[-2] ~ ' in ' ~ (var(model.fqn[-2] ~ '_path', none) or (env_var('STRATA_LANDING') ~ '/' ~ model.fqn[-2])) ~ '.', info=True) }}
    {%- endif -%}

    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


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
